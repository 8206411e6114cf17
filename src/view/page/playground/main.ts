/** The playground: training in the visitor's browser, under the page of `proxmo view`. */
import { render } from 'preact';
import { Shell } from '../shell.ts';
import { html } from '../ui/html.ts';
import '../style.css';
import { Bar } from './bar.ts';
import './playground.css';
import { begin } from './training.ts';
import { Watch } from './watch.ts';

const empty =
  'Press Train. The model first imitates demonstrations, then plays and learns from its own episodes. Its curves, and the credit of each turn, come up here.';
render(html`<${Bar} /><${Watch} /><${Shell} empty=${empty} />`, document.body);
begin();
