/**
 * Marks what modules define as free of effects, so that bundlers leave out what a program does not use: of a module
 * with ten kernels the one that it runs. A module of the library does nothing when it is loaded but define values.
 */
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const alwaysPure = new Set([
  ts.SyntaxKind.ArrowFunction,
  ts.SyntaxKind.FunctionExpression,
  ts.SyntaxKind.Identifier,
  ts.SyntaxKind.NumericLiteral,
  ts.SyntaxKind.StringLiteral,
]);

/** The text of a module in which each constant's value is the result of a pure function. */
function withPureConstants(text, file) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const values = source.statements
    .filter((statement) => ts.isVariableStatement(statement) && statement.declarationList.flags & ts.NodeFlags.Const)
    .flatMap(({ declarationList }) => declarationList.declarations)
    .flatMap(({ initializer }) => (initializer && !alwaysPure.has(initializer.kind) ? [initializer] : []))
    .filter((value) => !/\b(await|this)\b/.test(value.getText(source)));
  return values.reduceRight((marked, value) => {
    const [start, end] = [value.getStart(source), value.getEnd()];
    return `${marked.slice(0, start)}/* @__PURE__ */ (() => (${marked.slice(start, end)}))()${marked.slice(end)}`;
  }, text);
}

/** esbuild plugin. */
export const pureEsbuild = {
  name: 'pure',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: withPureConstants(readFileSync(path, 'utf8'), path),
      loader: 'ts',
    }));
  },
};
