-- /mnt/onboard/Emma.sdr/metadata.epub.lua
return {
    ["annotations"] = {
        [1] = {
            ["chapter"] = "Volume I",
            ["color"] = "gray",
            ["datetime"] = "2026-07-27 09:18:26",
            ["datetime_updated"] = "2026-07-27 09:20:46",
            ["drawer"] = "lighten",
            ["note"] = "the first\
\"words\"\
",
            ["page"] = "/body/DocFragment[3]/body/p[1]/text().16",
            ["pageno"] = 7,
            ["pos0"] = "/body/DocFragment[3]/body/p[1]/text().16",
            ["pos1"] = "/body/DocFragment[3]/body/p[1]/text().42",
            ["text"] = "“handsome, clever,\
and rich” — café",
        },
        [2] = {
            ["chapter"] = "Volume II",
            ["datetime"] = "2026-07-27 12:57:09",
            ["page"] = "/body/DocFragment[19]/body/p[123]/text().0",
            ["pageno"] = 235,
            ["text"] = "in Volume II",
        },
        [3] = {
            ["datetime"] = "2026-07-28 08:00:00",
            ["drawer"] = "underscore",
            ["page"] = 4,
            ["pos0"] = {
                ["page"] = 4,
                ["x"] = 10.5,
                ["y"] = -3,
            },
            ["pos1"] = {
                ["page"] = 4,
                ["x"] = 20,
                ["y"] = 0,
            },
            ["text"] = "boxed",
        },
    },
    ["copt_h_page_margins"] = {
        [1] = 10,
        [2] = 10,
    },
    ["doc_props"] = {
        ["authors"] = "Jane Austen\
An Editor",
        ["identifiers"] = "ISBN:9780141439587",
        ["language"] = "en",
        ["title"] = "Emma",
    },
    ["partial_md5_checksum"] = "59d481d168cca6267322f150c5f6a2a3",
    ["percent_finished"] = 0.4237,
    ["summary"] = {
        ["modified"] = "2026-07-28",
        ["status"] = "reading",
    },
}
