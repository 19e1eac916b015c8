import { showDemo } from '../demo/demo.ts'
import { createInbox } from './inbox.ts'
import { inboxView } from './view.ts'

showDemo('inbox', (surroundings) => {
  const inbox = createInbox(surroundings)
  // What it listens to is the frame's, and ends with it.
  return { view: () => inboxView(inbox), close: () => {} }
})
