/** A `.wgsl` import is the file, with the files that it includes (`scripts/wgsl.mjs`). */
declare module '*.wgsl' {
  const file: import('./wgsl.ts').WgslFile;
  export default file;
}
