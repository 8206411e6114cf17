/** The first `length` hexadecimal digits of the SHA-256 of bytes, or of a text as UTF-8; all of them by default. */
export async function sha256(data: string | Uint8Array<ArrayBuffer>, length = 64): Promise<string> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .slice(0, length);
}
