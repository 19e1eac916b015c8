-- confirm: the owner agrees. Idempotent.
-- KEYS  ticket, channel
-- ARGV  sub, redeem_ms, keep_ms, event_head, event_tail, terms (those that the owner has read), number (two
--       digits, or empty), network (of the phone), most_wrong
-- reply {"OK", status, version, left_ms}
--       | {"TICKET_NOT_FOUND"} | {"TICKET_VOID"} | {"TICKET_TAKEN"} | {"TICKET_EXPIRED"} | {"NOT_SCANNED"}
--       | {"TICKET_SETTLED"}
--       | {"CONSENT_REQUIRED"} the ticket has other terms
--       | {"VERIFICATION_REQUIRED"} a number, or the network of the browser, is missing
--       | {"VERIFICATION_WRONG", left} another number. With none left the ticket is rejected

local key, channel = KEYS[1], KEYS[2]
local sub, redeem_ms, keep_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local event_head, event_tail, terms = ARGV[4], ARGV[5], ARGV[6]
local number, network, most_wrong = ARGV[7], ARGV[8], tonumber(ARGV[9])

local ticket = find(key)
if not ticket then return { 'TICKET_NOT_FOUND' } end
if ticket.void then return { 'TICKET_VOID' } end
if ticket.owner and ticket.owner ~= sub then return { 'TICKET_TAKEN' } end
if ticket.status == 'expired' then return { 'TICKET_EXPIRED' } end
if ticket.status == 'pending' then return { 'NOT_SCANNED' } end
if ticket.status ~= 'scanned' and ticket.status ~= 'confirmed' then return { 'TICKET_SETTLED' } end

if ticket.status == 'scanned' then
  local wanted = redis.call('HGET', key, 'terms')
  if wanted and wanted ~= terms then return { 'CONSENT_REQUIRED' } end
  local mode, shown = verification(key, network)
  if not mode then return { 'VERIFICATION_REQUIRED' } end
  if mode == 'number' then
    if number == '' then return { 'VERIFICATION_REQUIRED' } end
    if number ~= shown then
      -- A number that is sent again, because its answer was lost, counts once.
      local wrong = redis.call('HGET', key, 'wrong') or ''
      if not string.find(wrong, number, 1, true) then wrong = wrong .. number .. ' ' end
      local left = most_wrong - #wrong / 3
      if left > 0 then
        redis.call('HSET', key, 'wrong', wrong)
      else
        move(ticket, 'rejected', ticket.deadline, keep_ms, channel, event_head, event_tail)
      end
      return { 'VERIFICATION_WRONG', left }
    end
  end
  move(ticket, 'confirmed', ticket.now + redeem_ms, keep_ms, channel, event_head, event_tail,
    'decidedAt', ticket.now, unpack(told(mode)))
end
return answer(ticket)
