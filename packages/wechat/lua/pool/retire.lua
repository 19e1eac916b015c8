-- retire: removes codes for good, leased or not.
-- KEYS  codes (prefix), leases (prefix), fresh, rested, busy
-- ARGV  scene…
-- reply {image, …} of the codes that existed

local images = {}
for _, scene in ipairs(ARGV) do
  local image = forget(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], scene)
  if image then images[#images + 1] = image end
end
return images
