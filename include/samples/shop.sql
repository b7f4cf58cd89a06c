-- The sample shop's own table, as its people made it; tryon.toml beside this file names these columns.
CREATE TABLE IF NOT EXISTS catalogue (
    sku text PRIMARY KEY,
    title text NOT NULL,
    collection text NOT NULL,
    tryon_picture_url text,
    tryon_picture_urls jsonb,
    tryon_status text,
    tryon_detail text,
    tryon_updated_at timestamptz
);
