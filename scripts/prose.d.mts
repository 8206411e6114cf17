export function problemsOf(page: string): { readonly line: number; readonly text: string }[];
export function wrapped(page: string): string;
