"""What other tools have written down of a bucket -> records of a lockfile.

    rows        a row, whatever wrote it, and the records that rows become
    aws         the JSON of `aws s3api list-objects-v2` and `list-object-versions`
    inventory   an S3 Inventory: its CSV files, and the manifest that says what their columns are
    addurls     a table for `datalad addurls`
    reading     a file, gzipped or not -> its rows, by what it is

Who may call whom: `reading` uses the formats, these use `rows`. No locks.
"""
