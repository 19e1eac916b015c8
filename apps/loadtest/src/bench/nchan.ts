import { access, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, freePort, onCleanup, startProcess, startRedis } from '@saoma/testing'
import { WebSocket } from 'ws'
import type { System } from './cluster-under-test.ts'

const MODULE = 'ngx_nchan_module.so'
/** Where Debian, Alpine and Homebrew put the modules of nginx. */
const FOLDERS = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/opt/homebrew/lib/nginx/modules']
const SIZE = 2
/** Says why Nchan is missing from a comparison. */
export const NCHAN_ABSENT =
  'Nchan: its nginx module is not installed (Debian, Ubuntu: apt-get install libnginx-mod-nchan)'
const WORKER = /start worker process (\d+)/

/** Path of the nginx module; undefined if it is not installed. */
export const findNchan = async (): Promise<string | undefined> => {
  if (!findProgram('nginx')) return undefined
  for (const folder of FOLDERS) {
    const file = join(folder, MODULE)
    const found = await access(file).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  return undefined
}

/**
 * Redis keeps as many messages as in a channel of ours. `?id=` in an address names a channel of its own.
 * Without it the address means the channel that all clients of a crowd share.
 */
const configuration = (temp: string, module: string, port: number, redisUrl: string): string => `
load_module ${module};
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid ${temp}/nginx.pid;
error_log stderr notice;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path ${temp}/body;
  proxy_temp_path ${temp}/proxy;
  fastcgi_temp_path ${temp}/fastcgi;
  uwsgi_temp_path ${temp}/uwsgi;
  scgi_temp_path ${temp}/scgi;
  upstream store { nchan_redis_server ${redisUrl}; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    nchan_channel_id bench$arg_id;
    nchan_message_buffer_length 1000;
    nchan_message_timeout 7d;
    location = /publish {
      nchan_publisher;
      nchan_redis_pass store;
    }
    location = /subscribe {
      nchan_subscriber websocket;
      nchan_redis_pass store;
      nchan_subscriber_first_message newest;
      nchan_websocket_ping_interval 25s;
    }
  }
}
`

const startNode = async (module: string, redisUrl: string) => {
  const port = await freePort()
  const temp = await mkdtemp(join(tmpdir(), 'saoma-nchan-'))
  const removeTemp = () => {
    forget()
    return rm(temp, { recursive: true, force: true })
  }
  const forget = onCleanup(removeTemp)
  await chmod(temp, 0o711)
  const file = join(temp, 'nginx.conf')
  await writeFile(file, configuration(temp, module, port, redisUrl))
  const nginx = await startProcess({
    name: 'nchan',
    command: findProgram('nginx') ?? 'nginx',
    args: ['-e', 'stderr', '-p', temp, '-c', file],
  })
  const { text } = await nginx.nextLine((line) => WORKER.test(line.text))
  await nginx.nextLine((line) => line.text.endsWith('ready'))
  return {
    url: `http://127.0.0.1:${port}`,
    worker: Number(WORKER.exec(text)?.[1]),
    stop: async () => {
      await nginx.stop()
      await removeTemp()
    },
  }
}

/** Publishes each message of a WebSocket, in order, and acknowledges it. */
const openPublisher = async (url: string) => {
  const socket = new WebSocket(`${url.replace('http:', 'ws:')}/publish`, { perMessageDeflate: false })
  const close = () => {
    forget()
    socket.terminate()
  }
  const forget = onCleanup(close)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const waiting: (() => void)[] = []
  socket.on('message', () => waiting.shift()?.())
  return {
    send: (text: string) =>
      new Promise<void>((resolve) => {
        waiting.push(resolve)
        socket.send(text)
      }),
    close,
  }
}

/** Two nginx with the Nchan module, with one worker each. `publish` serves the shared channel alone. */
export const startNchan = async (module: string): Promise<System> => {
  const redis = await startRedis()
  const nodes = await Promise.all(Array.from({ length: SIZE }, () => startNode(module, redis.url)))
  const urls = nodes.map(({ url }) => url)
  const publisher = await openPublisher(urls[0] ?? '')
  return {
    urls,
    // The master process does no work.
    nodes: nodes.map(({ worker }) => worker),
    redis: [redis.pid],
    publish: (_, data) => publisher.send(JSON.stringify(data)),
    stop: async () => {
      publisher.close()
      await Promise.all(nodes.map((node) => node.stop()))
      await redis.stop()
    },
  }
}
