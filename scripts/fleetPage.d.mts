/** Writes the site. */
export function buildFleetPage(folder: string): Promise<void>;
