/**
 * The software driver of last resort: SwiftShader, out of the npm package `@sparticuz/chromium`. It needs nothing on
 * the system, and no environment variable, so that it works in worker threads and under Bun too: Dawn looks for the
 * Vulkan library beside itself first, so a copy of the package `webgpu` with SwiftShader in that place opens it.
 */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants as osConstants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { parseTar } from 'nanotar';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { systemReason } from '../base/systemErrors.node.ts';
import { isOwn, makeOwnFolder } from '../base/userFolders.node.ts';
import { makeCacheFolder } from './cacheFolder.node.ts';

const driverFile = 'libvk_swiftshader.so';
/** Where Dawn's binary lies in the package `webgpu`, on the one platform that the driver is made for. */
const binaryFolder = join('dist', 'linux-x64');
/** Name under which Dawn looks for Vulkan; SwiftShader can stand in for the loader that usually has it. */
const vulkanLibrary = join(binaryFolder, 'libvulkan.so.1');
const packageFiles = ['package.json', 'index.js', join(binaryFolder, 'dawn.node')];

/** Path of the compressed driver; null where the optional package is not installed, or is for other machines. */
export function findSwiftShaderBundle(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
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

/**
 * A copy of the package `webgpu` that opens SwiftShader, in the cache folder. Every file is compared with what it
 * should be before anything is loaded; one that differs is replaced whole, so that several processes may do this at
 * once and none of them sees half a file.
 * @param bundle as of `findSwiftShaderBundle`
 * @param webgpu folder of the package
 * @returns path of its entry
 * @throws {ProxmoError} `file` if there is no folder for it, or it cannot be written
 */
export async function placeSwiftShader(bundle: string, webgpu: string): Promise<string> {
  const packed = readFileSync(bundle);
  const { version } = JSON.parse(readFileSync(join(webgpu, 'package.json'), 'utf8')) as { version: string };
  const folder = join(makeCacheFolder(), `swiftshader-${sha256(packed).slice(0, 16)}-webgpu-${version}`);
  for (const each of ['.', 'dist', binaryFolder]) makeOwnFolder(join(folder, each));
  try {
    for (const file of packageFiles) await place(join(folder, file), readFileSync(join(webgpu, file)));
    await placeDriver(join(folder, vulkanLibrary), packed);
  } catch (error) {
    throw new ProxmoError('file', `${folder} cannot be written: ${systemReason(error)}; check the space there.`, {
      cause: error,
    });
  }
  return join(folder, 'index.js');
}

/** Path of the driver of a copy. */
export function driverIn(entry: string): string {
  return join(dirname(entry), vulkanLibrary);
}

/** Why a library cannot be loaded, in the system's words; null if it can, whatever is in it. */
export function libraryProblem(path: string): string | null {
  const { RTLD_NOW, RTLD_LOCAL } = osConstants.dlopen;
  try {
    process.dlopen({ exports: {} }, path, RTLD_NOW | RTLD_LOCAL);
    return null;
  } catch (error) {
    const { message } = error as Error;
    // Loaded, and then found to be no addon.
    return /did not self-register|napi_register_module/i.test(message) ? null : message;
  }
}

async function place(path: string, content: Buffer): Promise<void> {
  if (!ownContent(path)?.equals(content)) await writeFileAtomic(path, [content]);
}

/** Unpacking takes longer than all else, so the driver's hash lies beside it. */
async function placeDriver(path: string, packed: Buffer): Promise<void> {
  const hashPath = `${path}.sha256`;
  const found = ownContent(path);
  if (found && ownContent(hashPath)?.toString() === sha256(found)) return;
  const entry = parseTar(brotliDecompressSync(packed)).find(({ name }) => basename(name) === driverFile);
  if (!entry?.data) throw new Error(`there is no ${driverFile} in the driver's package`);
  await writeFileAtomic(path, [entry.data]);
  await writeFileAtomic(hashPath, [sha256(entry.data)]);
}

/** Content of a file of this user's; null if there is none. */
function ownContent(path: string): Buffer | null {
  try {
    const info = lstatSync(path);
    return info.isFile() && isOwn(info) ? readFileSync(path) : null;
  } catch {
    return null;
  }
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
