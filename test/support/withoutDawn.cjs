/** Preloaded by tests: a system on which Dawn cannot be loaded, as its glibc is too old. */
const { dlopen } = process;
process.dlopen = (module, path, ...flags) => {
  if (path.endsWith('dawn.node'))
    throw new Error(`/lib/libc.so.6: version \`GLIBC_2.34' not found (required by ${path})`);
  return dlopen.call(process, module, path, ...flags);
};
