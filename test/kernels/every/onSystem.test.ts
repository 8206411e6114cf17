/** Every kernel on the system's adapter: a GPU, or lavapipe. */
import { testAdapters } from '../../support/adapters.ts';
import { describeKernelsOn } from './everyKernel.ts';

describeKernelsOn(testAdapters.filter((name) => name !== 'swiftshader'));
