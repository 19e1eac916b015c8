-- Shared by the scripts of this folder, each of which is this text followed by its own.
--
-- The hash of a ticket: status, version, deadline (ms epoch), created (ms epoch), secret (hash of the device
-- code), request (JSON), authorization (text of the OAuth layer), terms (what a yes must repeat, if there
-- are any), owner (sub, once there is one; of a request that was sent, at once), scannedAfter (text of the
-- OAuth layer, once scanned), decidedAt (ms epoch, once confirmed), others (other accounts that scanned it
-- while the owner had not decided), typed (accounts that typed its user code), void (once too many accounts
-- have scanned it), polledAt (ms epoch) and interval (ms) of polls. Lists of accounts have the form of
-- `name_of`.
-- If more than a tap is demanded: verify (what is demanded), number (two digits of the page), network (of the
-- browser), wrong (the wrong numbers so far, a space after each). Once scanned: mode (how it is verified; a
-- tap has none).

local SETTLED = { rejected = true, redeemed = true }

-- The time of Redis's clock in ms. Tickets use no other clock.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The present state of the ticket, or nil. After its deadline it reads as `expired` with the next version;
-- nothing is written.
local function find(key)
  local status, version, deadline, owner, void =
    unpack(redis.call('HMGET', key, 'status', 'version', 'deadline', 'owner', 'void'))
  if not status then return nil end
  local ticket = { key = key, status = status, version = tonumber(version), deadline = tonumber(deadline),
    owner = owner, void = void and true }
  ticket.now = now_ms()
  ticket.left = 0
  if not SETTLED[status] then
    ticket.left = ticket.deadline - ticket.now
    if ticket.left <= 0 then
      ticket.status, ticket.version, ticket.left = 'expired', ticket.version + 1, 0
    end
  end
  return ticket
end

-- How a ticket is verified: the mode of its first scan, or the one for a phone of this network. nil if this
-- network does not do. The second value is the number of the page.
local function verification(key, network)
  local verify, mode, number, own = unpack(redis.call('HMGET', key, 'verify', 'mode', 'number', 'network'))
  if not verify then return 'tap' end
  local is_near = network ~= '' and network == own
  if not mode and verify == 'network-or-number' then mode = is_near and 'network' or 'number' end
  mode = mode or verify
  if mode == 'network' and not is_near then return nil end
  return mode, number
end

-- The field for a mode. A tap has none: most logins are verified by it.
local function told(mode)
  return mode == 'tap' and {} or { 'mode', mode }
end

-- Moves the ticket to its next status, keeps it for keep_ms past its deadline, and notifies the room. Further
-- arguments are fields to write with it, name and value alternating.
-- `event_head` and `event_tail` are the adapter's message around the changing part of the state. A
-- `ticket.number` is part of it.
local function move(ticket, status, deadline, keep_ms, channel, event_head, event_tail, ...)
  ticket.status, ticket.version, ticket.deadline = status, ticket.version + 1, deadline
  ticket.left = SETTLED[status] and 0 or deadline - ticket.now
  redis.call('HSET', ticket.key, 'status', status, 'version', ticket.version, 'deadline', deadline, ...)
  redis.call('PEXPIREAT', ticket.key, deadline + keep_ms)
  local changing = '"status":"%s","version":%d,"expiresIn":%d' .. (ticket.void and ',"code":"TICKET_VOID"' or '')
  local text = string.format(changing, status, ticket.version, math.ceil(ticket.left / 1000))
  if ticket.number then text = text .. ',"number":"' .. ticket.number .. '"' end
  redis.call('SPUBLISH', channel, event_head .. text .. event_tail)
end

-- The reply for a ticket: its state, then the script's own fields.
local function answer(ticket, ...)
  return { 'OK', ticket.status, ticket.version, ticket.left, ... }
end

-- How a ticket names an account of which it only needs to know that it was there. A reader of Redis learns
-- nothing from it. All names have one length, so that a list of them can be counted.
local NAME_LENGTH = 17
local function name_of(key, sub)
  return string.sub(redis.sha1hex(key .. ' ' .. sub), 1, NAME_LENGTH - 1) .. ' '
end
local function names(list, name) return string.find(list, name, 1, true) ~= nil end
local function count(list) return #list / NAME_LENGTH end
