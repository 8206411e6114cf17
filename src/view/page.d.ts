/** A page, bundled (`scripts/page.mjs`). */
declare module '*?bundle' {
  export const script: string;
  export const style: string;
}
