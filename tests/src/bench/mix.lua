-- The mix of the benchmark of the API for wrk: of 20 requests 16 acquire a builder that is ready, 3 look at one, 1 asks for a job about another.
-- BENCH_TOKEN is the token; without it every request is `GET /`. The last line that it prints is JSON.

local token = os.getenv("BENCH_TOKEN")
local mix, place = {}, 0
local threads = 0

-- The threads do not go in step.
function setup(thread)
    thread:set("first", threads * 37)
    threads = threads + 1
end

function init(args)
    place = first
    if not token then
        mix[1] = wrk.format("GET", "/")
        return
    end
    local headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
    for n = 0, 1999 do
        local arch = ({ "x86_64", "arm64" })[math.floor(n / 20) % 2 + 1]
        local builder = string.format("/v1/projects/acme/ready-%d/builders/%s", n % 10, arch)
        local turn = n % 20
        if turn == 10 then
            local body = string.format('{"kind":"provision","arch":"%s"}', arch)
            mix[n + 1] = wrk.format("POST", string.format("/v1/projects/acme/queued-%d/jobs", math.floor(n / 40)), headers, body)
        elseif turn == 3 or turn == 9 or turn == 16 then
            mix[n + 1] = wrk.format("GET", builder, headers)
        else
            mix[n + 1] = wrk.format("POST", builder .. "/acquire", headers)
        end
    end
end

function request()
    place = place % #mix + 1
    return mix[place]
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('{"requests":%d,"secs":%.6f,"median_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n', summary.requests,
        summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        e.connect + e.read + e.write + e.status + e.timeout))
end
