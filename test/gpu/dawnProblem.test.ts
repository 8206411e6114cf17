/** What a user is told where the native library cannot be loaded. */
import { expect, it } from 'vitest';
import { dawnProblem } from '../../src/gpu/dawnProblem.node.ts';

const linux = { platform: 'linux', arch: 'x64', glibc: '2.31' };

it.each([
  [
    "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /app/dawn.node)",
    linux,
    /needs glibc 2\.34 or later, and this system has 2\.31; use Debian 12, Ubuntu 22\.04/,
  ],
  [
    "/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /app/dawn.node)",
    linux,
    /libstdc\+\+ is too old for it \(no GLIBCXX_3\.4\.30\); install that of GCC 12/,
  ],
  [
    'libstdc++.so.6: cannot open shared object file: No such file or directory',
    linux,
    /the library libstdc\+\+\.so\.6 is missing; install/,
  ],
  [
    'Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /app/dawn.node)',
    { ...linux, glibc: null },
    /it needs glibc, and this system has another C library; use Debian 12/,
  ],
  [
    "Cannot find module '/app/node_modules/webgpu/dist/freebsd-x64/dawn.node'\nRequire stack:\n- /app/x.js",
    { platform: 'freebsd', arch: 'x64', glibc: null },
    /there is no build of it for freebsd-x64; there are for Linux/,
  ],
  ["Cannot find package 'webgpu' imported from /app/x.js", linux, /webgpu is not installed; run npm install webgpu/],
  [
    '/cache/dawn.node: failed to map segment from shared object',
    linux,
    /nothing may be run from where it lies \(.*\); name another folder as PROXMO_CACHE/,
  ],
  [
    'The specified module could not be found.\r\n\\\\?\\C:\\app\\dawn.node',
    { platform: 'win32', arch: 'x64', glibc: null },
    /install the Microsoft Visual C\+\+ Redistributable/,
  ],
  [
    'dlopen(/app/dawn.node): bad CPU type',
    { platform: 'darwin', arch: 'arm64', glibc: null },
    /bad CPU type; reinstall/,
  ],
])('%s', (message, machine, told) => {
  const problem = dawnProblem(new Error(message), machine);
  expect(problem).toMatchObject({ code: 'no-device', message: expect.stringMatching(told) });
  expect(problem.message).toMatch(/^WebGPU cannot be loaded: [^\n]+\.$/);
});
