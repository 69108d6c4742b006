declare module 'ssh2'
