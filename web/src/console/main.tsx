import { render } from 'preact'
import { ConsoleApp } from './app.tsx'

const root = document.getElementById('app')
if (root) render(<ConsoleApp />, root)
