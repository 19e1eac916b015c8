-- scan: a phone has read the code. The first account owns the ticket. Idempotent for the same account.
-- Nobody shows their own code to several people. So as long as the owner has not decided, one account too
-- many makes the ticket void: a picture was shown to a crowd.
-- KEYS  ticket, channel
-- ARGV  sub, confirm_ms, keep_ms, event_head, event_tail, scanned_after (stored by the first scan),
--       most_accounts (this one and the owner included), network (of the phone), listed (1: the phone was
--       asked, and has read no picture)
-- reply {"OK", status, version, left_ms, request, created, typed (1: this account typed the user code | 0),
--        mode}
--       with the status "rejected" when this call made the ticket void
--       | {"TICKET_NOT_FOUND"} | {"TICKET_VOID"} | {"TICKET_TAKEN"} | {"TICKET_EXPIRED"} | {"TICKET_SETTLED"}
--       | {"VERIFICATION_REQUIRED"} only a phone in the network of the browser may scan
-- Only the browser's event has the number. A phone must not learn it.

local key, channel = KEYS[1], KEYS[2]
local sub, confirm_ms, keep_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local event_head, event_tail, scanned_after = ARGV[4], ARGV[5], ARGV[6]
local most_accounts, network, listed = tonumber(ARGV[7]), ARGV[8], ARGV[9]

local ticket = find(key)
if not ticket then return { 'TICKET_NOT_FOUND' } end
if ticket.void then return { 'TICKET_VOID' } end
local name = name_of(key, sub)
if ticket.owner and ticket.owner ~= sub then
  if ticket.status ~= 'scanned' then return { 'TICKET_TAKEN' } end
  local others = redis.call('HGET', key, 'others') or ''
  if names(others, name) then return { 'TICKET_TAKEN' } end
  if count(others) + 2 < most_accounts then
    redis.call('HSET', key, 'others', others .. name)
    return { 'TICKET_TAKEN' }
  end
  ticket.void = true
  move(ticket, 'rejected', ticket.deadline, keep_ms, channel, event_head, event_tail, 'void', 1)
end
if ticket.status == 'expired' then return { 'TICKET_EXPIRED' } end
if not ticket.void and ticket.status ~= 'pending' and ticket.status ~= 'scanned' then return { 'TICKET_SETTLED' } end

if ticket.status == 'pending' then
  local mode, number = verification(key, network)
  if not mode then return { 'VERIFICATION_REQUIRED' } end
  -- Who has read no picture has looked at nothing yet. So they type the number, if the page displays one.
  if mode == 'tap' and listed == '1' and number and number ~= '' then mode = 'number' end
  if mode == 'number' then ticket.number = number end
  move(ticket, 'scanned', ticket.now + confirm_ms, keep_ms, channel, event_head, event_tail,
    'owner', sub, 'scannedAfter', scanned_after, unpack(told(mode)))
end
local request, created, typed, mode = unpack(redis.call('HMGET', key, 'request', 'created', 'typed', 'mode'))
return answer(ticket, request, created, typed and (typed == '*' or names(typed, name)) and 1 or 0, mode or 'tap')
