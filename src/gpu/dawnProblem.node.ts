/**
 * Why Dawn, the native library in the npm package `webgpu`, cannot be loaded, and what to do about it. It is loaded
 * only when a device is opened, so that whatever needs no device works without it.
 */
import { ProxmoError } from '../base/errors.ts';

/** What Dawn is built against, and systems that have it. */
const neededGlibc = '2.34';
const systemsThatHaveIt = 'Debian 12, Ubuntu 22.04, Fedora 36, or a later one, or a container image of these';

/** What a machine is, as far as it decides whether Dawn can be loaded. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Version of glibc; null where the C library is another one. */
  readonly glibc: string | null;
}

/** An error of loading Dawn as one that a user can act on. */
export function dawnProblem(error: unknown, machine: Machine = thisMachine()): ProxmoError {
  const message = String((error as Error)?.message ?? error);
  const [why, advice] = explain(message, machine);
  return new ProxmoError('no-device', `WebGPU cannot be loaded: ${why}; ${advice}.`, { cause: error });
}

function explain(message: string, { platform, arch, glibc }: Machine): [why: string, advice: string] {
  const place = `${platform}-${arch}`;
  if (/Cannot find (package|module) 'webgpu'/.test(message))
    return ['the npm package webgpu is not installed', 'run npm install webgpu'];
  if (/Cannot find module .*dawn\.node/.test(message))
    return [`there is no build of it for ${place}`, 'there are for Linux and Windows (x64, arm64) and for macOS'];
  if (platform === 'linux' && glibc === null)
    return ['it needs glibc, and this system has another C library', `use ${systemsThatHaveIt}`];
  if (/version `GLIBC_[\d.]+' not found/.test(message))
    return [`it needs glibc ${neededGlibc} or later, and this system has ${glibc}`, `use ${systemsThatHaveIt}`];
  const [, symbols] = /version `((?:GLIBCXX|CXXABI)_[\d.]+)' not found/.exec(message) ?? [];
  if (symbols !== undefined)
    return [
      `libstdc++ is too old for it (no ${symbols})`,
      `install that of GCC 12 or later, or use ${systemsThatHaveIt}`,
    ];
  const [, library] = /^(\S+): cannot open shared object file/.exec(message) ?? [];
  if (library !== undefined)
    return [`the library ${library} is missing`, 'install the package of your system that has it'];
  if (/failed to map segment/.test(message))
    return [`nothing may be run from where it lies (${firstLine(message)})`, 'name another folder as PROXMO_CACHE'];
  if (platform === 'win32' && /module could not be found/i.test(message))
    return ['a library that it needs is missing', 'install the Microsoft Visual C++ Redistributable'];
  return [firstLine(message), `reinstall the npm package webgpu for ${place}`];
}

function firstLine(text: string): string {
  return text.split('\n')[0]!.trim();
}

function thisMachine(): Machine {
  const { platform, arch } = process;
  return { platform, arch, glibc: platform === 'linux' ? glibcVersion() : null };
}

function glibcVersion(): string | null {
  const { header } = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime ?? null;
}
