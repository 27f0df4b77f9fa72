-- we can read Lua syntax here!
return {
    ["highlight"] = {
        [48] = {
            [1] = {
                ["datetime"] = "2020-11-16 18:51:04",
                ["chapter"] = "CHAPTER V",
                ["pos0"] = "/body/DocFragment[7]/p[12].0",
                ["pos1"] = "/body/DocFragment[7]/p[12].9",
                ["drawer"] = "lighten",
                ["text"] = "Who are you?"
            },
            [2] = {
                ["datetime"] = "2020-11-16 18:50:53",
                ["pos0"] = "/body/DocFragment[7]/h2.0",
                ["pos1"] = "/body/DocFragment[7]/h2.9",
                ["drawer"] = "lighten",
                ["text"] = "CHAPTER V"
            }
        }
    },
    ["bookmarks"] = {
        [1] = {
            ["datetime"] = "2020-11-16 18:52:11",
            ["page"] = "/body/DocFragment[8]/h2.0",
            ["notes"] = "in CHAPTER VI. Pig and Pepper"
        },
        [2] = {
            ["text"] = "my own words",
            ["page"] = "/body/DocFragment[7]/p[12].0",
            ["highlighted"] = true,
            ["datetime"] = "2020-11-16 18:51:04",
            ["pos0"] = "/body/DocFragment[7]/p[12].0",
            ["pos1"] = "/body/DocFragment[7]/p[12].9",
            ["notes"] = "Who are you?"
        },
        [3] = {
            ["text"] = "Page 48 CHAPTER V @ 2020-11-16 18:50:53",
            ["page"] = "/body/DocFragment[7]/h2.0",
            ["highlighted"] = true,
            ["datetime"] = "2020-11-16 18:50:53",
            ["pos0"] = "/body/DocFragment[7]/h2.0",
            ["notes"] = "CHAPTER V"
        }
    },
    ["stats"] = {
        ["md5"] = "1ffd8a0a787b6f473e0a8757c45e3f73",
        ["title"] = "Alice",
        ["authors"] = "Lewis Carroll"
    }
}
