/** A page, bundled (`scripts/page.mjs`). */
declare module '*?module' {
  export const script: string;
}
declare module '*?bundle' {
  export const script: string;
  export const style: string;
}
