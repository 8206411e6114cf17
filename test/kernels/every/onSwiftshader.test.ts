/** Every kernel on SwiftShader, the software driver from npm. */
import { testAdapters } from '../../support/adapters.ts';
import { describeKernelsOn } from './everyKernel.ts';

describeKernelsOn(testAdapters.filter((name) => name === 'swiftshader'));
