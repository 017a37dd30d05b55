package rdb

// gcraText begins every script that limits a rate. It is GCRA as limit.Rate decides it, on Redis' own clock, so that
// the clocks of gateways do not matter. A key holds the theoretical arrival time in microseconds and expires a second
// after it has passed.
//
//	clock()                             microseconds since 1970
//	gcra(key, now, interval, burst, n)  how many of n events may happen, and microseconds of the burst in use before them
//	spend(key, now, used)               stores that used microseconds of the burst are in use
const gcraText = `
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end
local function gcra(key, now, interval, burst, n)
  local used = math.max(0, tonumber(redis.call('GET', key) or now) - now)
  return math.max(0, math.min(n, math.floor((interval * burst - used) / interval))), used
end
local function spend(key, now, used)
  redis.call('SET', key, string.format('%.0f', now + used), 'PX', math.ceil(used / 1000) + 1000)
end
`
