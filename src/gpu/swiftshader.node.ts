/**
 * The software driver of last resort: SwiftShader with a Vulkan loader, out of the npm package `@sparticuz/chromium`.
 * It needs nothing on the system. The files are unpacked once into a cache folder, and the loader is put into the
 * process, where Dawn finds it by its library name.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants as osConstants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { parseTar } from 'nanotar';
import { makeCacheFolder } from './cacheFolder.node.ts';

const files = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];
/** The loader reads the list of drivers from these: the older and the newer name. */
const driverVariables = ['VK_ICD_FILENAMES', 'VK_DRIVER_FILES'];
/** glibc's RTLD_NODELETE, which Node does not name: the loader must never be unloaded. */
const rtldNoDelete = 0x1000;

/** Path of the compressed bundle, or null where the optional package is not installed. */
export function findSwiftShaderBundle(): string | null {
  try {
    let folder = dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium'));
    while (!existsSync(join(folder, 'bin', 'swiftshader.tar.br'))) {
      if (folder === dirname(folder)) return null;
      folder = dirname(folder);
    }
    return join(folder, 'bin', 'swiftshader.tar.br');
  } catch {
    return null;
  }
}

/** Runs `open` while SwiftShader is the only Vulkan driver that a new Dawn instance finds. */
export async function withSwiftShader<T>(bundle: string, open: () => Promise<T>): Promise<T> {
  const folder = unpack(bundle);
  const before = driverVariables.map((name) => [name, process.env[name]] as const);
  for (const name of driverVariables) process.env[name] = join(folder, 'vk_swiftshader_icd.json');
  loadLibrary(join(folder, 'libvulkan.so.1'));
  try {
    return await open();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** Whether a Vulkan loader can be found on this system. Loads it. */
export function systemHasVulkanLoader(): boolean {
  return loadLibrary('libvulkan.so.1');
}

/**
 * Opens a shared library for the whole process. It is no Node addon, which `dlopen` reports as an error after it has
 * loaded it.
 */
function loadLibrary(path: string): boolean {
  const { RTLD_NOW, RTLD_GLOBAL } = osConstants.dlopen;
  try {
    process.dlopen({ exports: {} }, path, RTLD_NOW | RTLD_GLOBAL | rtldNoDelete);
    return true;
  } catch (error) {
    return /did not self-register/i.test(String(error));
  }
}

/**
 * Unpacks into a folder named by the bundle's hash; written aside and renamed, so that two processes may do it at once.
 */
function unpack(bundle: string): string {
  const packed = readFileSync(bundle);
  const name = `swiftshader-${createHash('sha256').update(packed).digest('hex').slice(0, 16)}`;
  const folder = join(makeCacheFolder(), name);
  if (existsSync(folder)) return folder;
  const entries = parseTar(brotliDecompressSync(packed));
  const aside = mkdtempSync(join(makeCacheFolder(), 'unpack-'));
  for (const entry of entries) {
    const file = basename(entry.name);
    if (files.includes(file) && entry.data) writeFileSync(join(aside, file), entry.data, { mode: 0o755 });
  }
  try {
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
