/** A device that refuses memory for chosen buffers as a full one does: by an error scope, with an invalid buffer. */
export interface ScarceDevice {
  readonly device: GPUDevice;
  /** Whether there is no memory for a buffer. */
  refuses: (descriptor: GPUBufferDescriptor) => boolean;
}

export function scarceDevice(device: GPUDevice): ScarceDevice {
  let isRefused = false;
  const scarce: ScarceDevice = { device: new Proxy(device, { get }), refuses: () => false };

  function createBuffer(descriptor: GPUBufferDescriptor): GPUBuffer {
    if (!scarce.refuses(descriptor)) return device.createBuffer(descriptor);
    isRefused = true;
    device.pushErrorScope('validation');
    const invalid = device.createBuffer({ ...descriptor, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    void device.popErrorScope();
    return invalid;
  }

  async function popErrorScope(): Promise<GPUError | null> {
    const [wasRefused, popped] = [isRefused, device.popErrorScope()];
    isRefused = false;
    return (await popped) ?? (wasRefused ? { message: 'out of memory' } : null);
  }

  function get(target: GPUDevice, name: string | symbol): unknown {
    if (name === 'createBuffer') return createBuffer;
    if (name === 'popErrorScope') return popErrorScope;
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === 'function' ? value.bind(target) : value;
  }
  return scarce;
}
