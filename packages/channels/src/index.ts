export {
  type Channels,
  type ChannelsEvent,
  type ChannelsOptions,
  createChannels,
  type Following,
  type FollowRequest,
  type Listener,
  type ReadRequest,
  type Retention,
  type Signal,
} from './channels.ts'
export { Kept } from './kept.ts'
