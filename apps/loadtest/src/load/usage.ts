import { faults } from './faults.ts'

const faultLines = Object.entries(faults)
  .map(([name, { is, needs }]) => `    ${name.padEnd(14)}  ${is}${needs ? ` (--redis ${needs})` : ''}`)
  .join('\n')

/** How a person calls this program: from the package `saoma`, or in the repository. */
const called = import.meta.url.endsWith('.js') ? 'saoma load' : 'npm run load --'

export const usage = `${called} <scenario>… [options]     a load test of its own cluster, or of any Saoma by its URL

  login               people log in: code, watch, scan, confirm, redeem
  idle                browsers wait with a code, which is renewed when it expires
  inbox               people follow their own channels, get messages and mark them as read
  fanout              a room full of subscribers; messages into it
  storm               idle; at half time all browsers lose their connections at once
  chaos               login, idle, inbox and fanout, while nodes and Redis fail in every way that --faults names

How much
  --logins 10         logins a second                       --phones N          accounts that confirm them (4 for each login a second)
  --browsers 500      waiting browsers (idle, storm, chaos)
  --people 100        people with an inbox                  --messages 50       messages a second, to all of them together
  --subscribers 100   readers of the room                   --broadcasts 5      messages a second into the room
  --ramp 5s           connections and rates grow over it    --duration 30s      from the end of the ramp
  --workers 2         processes on this machine             --patience 15s      for an acknowledged message to arrive (chaos: 60s)

Where
  --url URL           a running Saoma; its rate limits apply. Without it a cluster starts here:
  --nodes 2           its nodes                             --env NAME=VALUE    a setting of its nodes, as often as needed
  --redis standalone  or cluster: three masters             --logs FOLDER       the output of its nodes and Redis, in one file each
  --api-key KEY       publishes (inbox, fanout); required with --url. Or set LOAD_API_KEY in the environment
  --room NAME         the room of fanout (room:read-load)
  --phone-token-file FILE   phone tokens, one per line, for a server without demo phones
  --token-file FILE         people's tokens, one per line; if a token has no user id, write the id as a second word

Several machines: the same command on each, with
  --coordinator redis://host:6379 --run NAME --machines N      a Redis that all machines reach; the first machine leads and reports

Chaos
  --faults LIST       the faults of each round, in this order; at least one round. By default all, shuffled in each round:
${faultLines}
  --down 2s           duration of a fault; a frozen Redis up to 3 times as long, refused writes up to 6 times
  --calm 5s           pause between recovery and the next fault, times 0.5 to 1.5
  --seed N            determines order, times and targets of the faults; printed, so that a run can be repeated

Result
  --expect LIST       conditions, such as "confirm.p99<50ms,lost==0,login.rate>=9": exit code 1 if one is not met
  --json FILE         all figures                           --html FILE         one page with charts

Exit code: 0 all as expected, 1 not, 2 invalid arguments.`
