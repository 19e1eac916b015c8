export * from '@saoma/client'
