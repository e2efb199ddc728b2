-- aftershock is public: everything in it may be shown to anybody.
-- aftershock_protected has its own grants.
CREATE DATABASE IF NOT EXISTS aftershock ENGINE = Atomic;
CREATE DATABASE IF NOT EXISTS aftershock_protected ENGINE = Atomic;
CREATE TABLE IF NOT EXISTS aftershock.migrations
(
    number UInt32,
    name String,
    sha256 String,
    applied_at DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(applied_at) ORDER BY number;
