/** Every kernel on SwiftShader, the software driver from npm. */
import { testAdapters } from '../../support/adapters.ts';
import { describeKernelsOn } from '../../support/everyKernel.ts';

describeKernelsOn(testAdapters.filter((name) => name === 'swiftshader'));
