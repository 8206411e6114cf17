/** The page of `proxmo view`. */
import { render } from 'preact';
import { Shell } from './shell.ts';
import { connect } from './store.ts';
import { html } from './ui/html.ts';
import './style.css';

render(html`<${Shell} />`, document.body);
connect();
