/** Names of adapters: what a choice means, and which names it fits. */

/** Adapters that are programs on the CPU: Mesa's, Google's, and that of Windows. */
const softwareName = /llvmpipe|swiftshader|basic render/i;

export function isSoftwareName(name: string): boolean {
  return softwareName.test(name);
}

/** The adapters that Dawn lists where it finds none of a name. */
export function listedNames(message: string): string[] {
  return Array.from(message.matchAll(/^ \* backend: '.*?', name: '(.*)'$/gm), ([, name]) => name!);
}

/**
 * Whether a choice is a part of an adapter's name. Case and marks do not count: Dawn spells a name in two ways, as
 * `llvmpipe (LLVM 15.0.6, 256 bits)` and `llvmpipe-llvm-15-0-6-256-bits-`.
 */
export function isPartOfName(choice: string, name: string): boolean {
  const part = plain(choice);
  return part !== '' && plain(name).includes(part);
}

function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}
