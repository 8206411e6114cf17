/** The playground: training in the visitor's browser, under the page of `proxmo view`. */
import { render } from 'preact';
import { Shell } from '../shell.ts';
import { html } from '../ui/html.ts';
import '../style.css';
import { Bar } from './bar.ts';
import './playground.css';
import { begin } from './training.ts';
import { Watch } from './watch.ts';

render(html`<${Bar} /><${Watch} /><${Shell} />`, document.body);
begin();
