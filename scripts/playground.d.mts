/** Writes the site. @returns bytes of all files, compressed */
export function buildPlayground(folder: string): Promise<number>;
