-- Tells the rate limit filter which credential a request has, as a SHA-256 (FIPS 180-4): Redis gets no credential.
local band, bxor, bnot, ror, shr, tobit = bit.band, bit.bxor, bit.bnot, bit.ror, bit.rshift, bit.tobit

-- The first 32 bits of the fractional part of the `degree`th roots of the first primes.
local function roots(count, degree)
  local found, primes, number = {}, {}, 2
  while #found < count do
    local is_prime = true
    for _, prime in ipairs(primes) do is_prime = is_prime and number % prime ~= 0 end
    if is_prime then
      primes[#primes + 1] = number
      local root = number ^ (1 / degree)
      -- One step of Newton's method: `^` may be off by the last bits.
      root = root - (root ^ degree - number) / (degree * root ^ (degree - 1))
      found[#found + 1] = tobit(math.floor((root % 1) * 2 ^ 32))
    end
    number = number + 1
  end
  return found
end
local START, ROUND = roots(8, 2), roots(64, 3)

local function sha256(text)
  local bits = #text * 8
  text = text .. "\128" .. ("\0"):rep((55 - #text) % 64 + 4)
    .. string.char(shr(bits, 24), band(shr(bits, 16), 255), band(shr(bits, 8), 255), band(bits, 255))
  local h = { unpack(START) }
  for block = 1, #text, 64 do
    local w = {}
    for i = 0, 15 do
      local a, b, c, d = text:byte(block + 4 * i, block + 4 * i + 3)
      w[i + 1] = tobit(((a * 256 + b) * 256 + c) * 256 + d)
    end
    for i = 17, 64 do
      local x, y = w[i - 15], w[i - 2]
      w[i] = tobit(w[i - 16] + bxor(ror(x, 7), ror(x, 18), shr(x, 3)) + w[i - 7] + bxor(ror(y, 17), ror(y, 19), shr(y, 10)))
    end
    local a, b, c, d, e, f, g, k = unpack(h)
    for i = 1, 64 do
      local t = k + bxor(ror(e, 6), ror(e, 11), ror(e, 25)) + bxor(band(e, f), band(bnot(e), g)) + ROUND[i] + w[i]
      local u = bxor(ror(a, 2), ror(a, 13), ror(a, 22)) + bxor(band(a, b), band(a, c), band(b, c))
      a, b, c, d, e, f, g, k = tobit(t + u), a, b, c, tobit(d + t), e, f, g
    end
    for i, value in ipairs({ a, b, c, d, e, f, g, k }) do h[i] = tobit(h[i] + value) end
  end
  for i = 1, 8 do h[i] = bit.tohex(h[i]) end
  return table.concat(h)
end

function envoy_on_request(request)
  local credential = request:headers():get("authorization")
  if credential then
    request:streamInfo():dynamicMetadata():set("corti-auth", "credential", sha256(credential))
  end
end
