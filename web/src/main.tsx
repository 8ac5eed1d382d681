import { render } from 'preact'
import { resumeSession } from './api/session.ts'
import { App } from './app.tsx'

void resumeSession()
const root = document.getElementById('app')
if (root) render(<App />, root)
