"""How one bucket is reached, found out once for both clients: who asks, where it is, and whom to trust.

    identity          what a source is: bucket, settled endpoint, who asks       (pure)
    connect           options of a source -> how its bucket is reached
    credential_chain  where keys are found
    static_keys       keys that are written down: found without the chain
    plain_endpoint    where an ordinary bucket is: found without botocore        (pure)
    s3fs_endpoint     where any other is, by s3fs's client
    credentials       the keys that both clients sign with; read anew after a refusal
    clock             the server's clock, by which they sign; refusals tell it
    aws_files         what the AWS files say, and where their relative paths start
    bucket_options    what a source says of its bucket                           (pure)

Inside: connect > credential_chain > credentials | clock | plain_endpoint | s3fs_endpoint | static_keys > aws_files |
bucket_options; `identity` uses `aws_files`. The store calls `identity` and `connect`, the clients read what `connect`
found. `Credentials._turn` orders coroutines on botocore's loop; there is no other lock.
"""
