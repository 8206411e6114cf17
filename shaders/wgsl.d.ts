/** A `.wgsl` import is the file's text, with its includes resolved by the build (`scripts/wgsl.mjs`). */
declare module '*.wgsl' {
  const source: string;
  export default source;
}
