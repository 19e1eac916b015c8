import { showDemo } from '../demo/demo.ts'
import { createInbox } from './inbox.ts'
import { inboxView } from './view.ts'

showDemo('inbox', (surroundings) => {
  const inbox = createInbox(surroundings)
  // It listens only to objects of the frame, which closes them.
  return { view: () => inboxView(inbox), close: () => {} }
})
