import { faults } from './faults.ts'

const faultLines = Object.entries(faults)
  .map(([name, { is, needs }]) => `    ${name.padEnd(14)}  ${is}${needs ? ` (--redis ${needs})` : ''}`)
  .join('\n')

export const usage = `npm run load -- <scenario>… [options]     load on a cluster of its own, or on any Saoma by its URL

  login               people log in: code, watch, scan, confirm, redeem
  idle                browsers wait in front of a code, renewed as it expires
  inbox               people each follow their own channel; messages to one or another, read and acknowledged
  fanout              a room full of subscribers; messages into it
  storm               idle, and at half time every browser loses its connection at once
  chaos               login, idle, inbox and fanout, while nodes and Redis fail in every way that --faults names

How much
  --logins 10         logins a second                       --phones N          accounts that confirm them (4 for each login a second)
  --browsers 500      waiting browsers (idle, storm, chaos)
  --people 100        people with an inbox                  --messages 50       messages a second, to all of them together
  --subscribers 100   readers of the room                   --broadcasts 5      messages a second into the room
  --ramp 5s           connections and rates grow over it    --duration 30s      from the end of the ramp
  --workers 2         processes on this machine             --patience 15s      for what was acknowledged to arrive (chaos: 60s)

Where
  --url URL           a running Saoma; its rate limits apply. Without it a cluster starts here:
  --nodes 2           its nodes                             --env NAME=VALUE    a setting of its nodes, as often as needed
  --redis standalone  or cluster: three masters             --logs FOLDER       what its nodes and Redis say, a file for each
  --api-key KEY       publishes (inbox, fanout); needed with --url. LOAD_API_KEY in the environment is the same
  --room NAME         the room of fanout (room:read-load)
  --phone-token-file FILE   phone tokens, one a line, for a server that has no demo phones
  --token-file FILE         people's tokens, one a line; a second word is the user's id if the token does not say it

Several machines: the same command on each, with
  --coordinator redis://host:6379 --run NAME --machines N      a Redis they all reach; the first to come leads and reports

Chaos
  --faults LIST       which, in this order, round after round; at least one round. Without it all of them, each round in an order of its own:
${faultLines}
  --down 2s           how long what is taken away stays away; a frozen Redis up to 3 times, refused writes up to 6 times as long
  --calm 5s           from all green to the next fault, half to one and a half of it
  --seed N            draws the order, the moments, and what each fault is done to; printed, so that a run can be had again

Result
  --expect LIST       conditions, such as "confirm.p99<50ms,lost==0,login.rate>=9": exit code 1 when one is not met
  --json FILE         all figures                           --html FILE         one page with charts

Exit code: 0 all as expected, 1 not, 2 these words were not understood.`
