-- Rewrites the table once, which takes about a minute for a million products. Reads and purchases wait meanwhile.

-- DropIndex
DROP INDEX "products_search_idx";

-- The words of a text without regard for case, diacritics, width and punctuation, so that plain letters find every Latin
-- letter. The collation is named: the one of the database may know only ASCII. PostgreSQL's own parser takes "usb/hdmi"
-- for a path and "iphone-13" for a negative number.
CREATE OR REPLACE FUNCTION "search_words"(TEXT) RETURNS TSVECTOR LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
RETURN to_tsvector('pg_catalog.simple', regexp_replace(
    translate(
        replace(replace(replace(replace(
            regexp_replace(lower(normalize($1, NFKD) COLLATE "und-x-icu"), '[\u0300-\u036f]+', '', 'g'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
        'đðøłħŧŋıȷƀɓɖɗǥɨƙƛɲɵꝑɍɏƶς', 'ddolhtnijbbddgiklnopryzσ'),
    '[[:punct:]]+', ' ', 'g'
));

-- What a text asks for: every word of it begins a word. Null when it has none. The words come without punctuation, so
-- none of them ends the quotes that it stands in.
CREATE FUNCTION "search_query"(TEXT) RETURNS TSQUERY LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT string_agg('''' || word || ''':*', ' & ')::tsquery
    FROM unnest(tsvector_to_array(search_words($1))) AS word
);

-- AlterTable
ALTER TABLE "products" ADD COLUMN "words" TSVECTOR
    GENERATED ALWAYS AS (search_words("name" || ' ' || "brand_name" || ' ' || "description")) STORED;

-- Written at once: products change seldom, and a list of what is not written yet would have to be read by each search.
CREATE INDEX "products_words_idx" ON "products" USING GIN ("words") WITH (fastupdate = off);
