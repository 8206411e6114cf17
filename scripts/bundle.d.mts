export function bundle(file: string): Promise<string>;

/** The same in a folder of the caller's. */
export function bundleInto(outdir: string, file: string): Promise<string>;
