using System.Globalization;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.PostProcessors;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers.Files;

/// <summary>
/// Tiktoken's rank files: a line for each token, its bytes in base64 and its rank, which is its id. Pattern and special tokens are not in
/// the file; they are known by its name, or by tokenizer_config.json. The rank says when a token was learnt, and the merges of those
/// before it say of which two it was made.
/// </summary>
internal static class TiktokenFile
{
    private const long LargestFile = 1L << 30;
    private const int MostHoles = 1024; // Ids below the special tokens that nothing has, as in cl100k_base.

    private static readonly Encoding[] Encodings =
    [
        new("gpt2", null, [(EndOfText, 50256)]),
        new("r50k_base", null, [(EndOfText, 50256)]),
        new("p50k_base", null, [(EndOfText, 50256)]),
        new("p50k_edit", null, [(EndOfText, 50256), ("<|fim_prefix|>", 50281), ("<|fim_middle|>", 50282), ("<|fim_suffix|>", 50283)]),
        new(
            "cl100k_base",
            WordPatterns.Gpt4,
            [
                (EndOfText, 100257), ("<|fim_prefix|>", 100258), ("<|fim_middle|>", 100259), ("<|fim_suffix|>", 100260),
                ("<|endofprompt|>", 100276),
            ]),
        new("o200k_base", WordPatterns.Gpt4o, [(EndOfText, 199999), ("<|endofprompt|>", 200018)]),
        new(
            "qwen",
            WordPatterns.Qwen,
            [
                (EndOfText, 151643), ("<|im_start|>", 151644), ("<|im_end|>", 151645),
                .. Enumerable.Range(0, 205).Select(i => ($"<|extra_{i}|>", 151646 + i)),
            ]),
    ];

    private static readonly Encoding Llama3 = new("tokenizer", WordPatterns.Gpt4, Llama3Tokens())
    {
        Bos = "<|begin_of_text|>",
        Eos = "<|end_of_text|>",
    };

    private const string EndOfText = ByteLevelBpeTokenizer.EndOfText;

    private sealed record Encoding(string Name, string? Words, IReadOnlyList<(string Token, int Id)> Special)
    {
        public string? Bos { get; init; }

        public string Eos { get; init; } = EndOfText;
    }

    /// <summary>Whether a file is one of ranks, by its first bytes; a .model may be one or SentencePiece's.</summary>
    public static bool IsOne(string path)
    {
        using var stream = File.OpenRead(path);
        Span<byte> start = stackalloc byte[16];
        var length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        return length > 0 && start[..length].IndexOf((byte)' ') is > 0 and var space && System.Buffers.Text.Base64.IsValid(start[..space]);
    }

    /// <summary>Reads a file.</summary>
    public static TokenizerParts Read(string path, TokenizerConfig config) =>
        JsonPart.Reading(path, () =>
        {
            var tokens = ReadRanks(path);
            var name = Path.GetFileNameWithoutExtension(path);
            var encoding = Encodings.FirstOrDefault(encoding => encoding.Name == name)
                ?? (name == Llama3.Name && tokens.Count == Llama3.Special[0].Id ? Llama3 : throw new InvalidDataException(
                    $"Which pattern and special tokens belong to the ranks is known by the file's name, and \"{name}\" is not known. " +
                    $"Name it {string.Join(", ", Encodings.Select(known => known.Name))}, as what it is; tokenizer.model with " +
                    $"{Llama3.Special[0].Id:N0} ranks is Llama 3's."));
            return Parts(tokens, encoding, config);
        });

    private static TokenizerParts Parts(SortedDictionary<int, byte[]> tokens, Encoding encoding, TokenizerConfig config)
    {
        var added = (config.AddedTokens.Count > 0
            ? config.AddedTokens
            : encoding.Special.Select(token => new AddedToken(token.Id, token.Token) { Special = true })).ToList();
        if (added.FirstOrDefault(token => tokens.ContainsKey(token.Id)) is { } both)
        {
            throw new InvalidDataException(
                $"The special token \"{both.Content}\" has the id {both.Id}, which a token of the file has too: they do not belong " +
                "together.");
        }

        AddHoles(tokens, added);
        var vocabulary = Vocabulary.Of([.. tokens.Select(token => (ByteSymbols.ToSymbols(token.Value), token.Key))]);
        var bytes = new ByteLevel(addPrefixSpace: false, trimOffsets: true, useRegex: encoding.Words is null);
        return new TokenizerParts
        {
            AddedTokens = added,
            PreTokenizer = encoding.Words is null ? bytes : new PreTokenizerSequence(
            [
                new Split(TextPattern.OfRegex(encoding.Words), SplitBehavior.Isolated, invert: false), bytes,
            ]),

            // Tiktoken takes a word that is a token as it is.
            Model = new BpeModel(vocabulary, Merges(tokens), new BpeModelOptions { IgnoreMerges = true }),
            PostProcessor = encoding.Bos is { } bos && added.Find(token => token.Content == bos) is { } begin
                ? TemplateProcessing.Of([(bos, begin.Id)], [], secondTypeId: 1)
                : null,
            Decoder = new ByteLevelDecoder(addPrefixSpace: false, trimOffsets: true, useRegex: encoding.Words is null),
            Roles = new SpecialTokenRoles { Bos = Known(encoding.Bos), Eos = Known(encoding.Eos) },
        };

        string? Known(string? token) => added.Any(other => other.Content == token) ? token : null;
    }

    // Ids that nothing has become special tokens with names of their own.
    private static void AddHoles(SortedDictionary<int, byte[]> tokens, List<AddedToken> added)
    {
        var last = Math.Max(tokens.Keys.Last(), added.Select(token => token.Id).DefaultIfEmpty().Max());
        var holes = 1L + last - tokens.Count - added.Count;
        if (holes > MostHoles)
        {
            throw new InvalidDataException(
                $"The ids go up to {last:N0}, but {holes:N0} of them have no token: ranks are missing, or are those of another encoding.");
        }

        var known = added.Select(token => token.Id).ToHashSet();
        added.AddRange(Enumerable.Range(0, last + 1).Where(id => !tokens.ContainsKey(id) && !known.Contains(id))
            .Select(id => new AddedToken(id, $"<|reserved_{id}|>") { Special = true }));
    }

    private static BpeMerge[] Merges(SortedDictionary<int, byte[]> tokens)
    {
        var idOfByte = new int[256];
        Array.Fill(idOfByte, -1);
        foreach (var (id, token) in tokens)
        {
            if (token.Length == 1)
            {
                idOfByte[token[0]] = id;
            }
        }

        if (Array.IndexOf(idOfByte, -1) is >= 0 and var missing)
        {
            throw new InvalidDataException($"There is no token for the byte 0x{missing:X2}.");
        }

        var merges = new List<BpeMerge>();
        var table = new BpeMerges([]);
        var merger = new BpeMerger(table);
        foreach (var (id, token) in tokens)
        {
            if (token.Length == 1)
            {
                continue;
            }

            var symbols = merger.Reserve(token.Length);
            for (var i = 0; i < token.Length; i++)
            {
                symbols[i] = idOfByte[token[i]];
            }

            // Two symbols are what it was made of. Any other number is a token that only a whole word can become.
            merger.Merge(token.Length);
            if (merger.Next(0) is > 0 and var second && merger.Next(second) < 0)
            {
                var merge = new BpeMerge(merger.Symbol(0), merger.Symbol(second), id);
                table.Set(merge, merges.Count);
                merges.Add(merge);
            }
        }

        return [.. merges];
    }

    private static SortedDictionary<int, byte[]> ReadRanks(string path)
    {
        if (new FileInfo(path).Length is > LargestFile and var length)
        {
            throw new InvalidDataException($"It has {length:N0} bytes; more than 1 GiB is not read.");
        }

        var tokens = new SortedDictionary<int, byte[]>();
        var distinct = new ByteStringMap();
        foreach (var (number, line) in File.ReadLines(path).Index())
        {
            if (line.Length == 0)
            {
                continue;
            }

            if (line.Split(' ') is not [var text, var rank] || Bytes(text) is not { Length: > 0 } token
                || !int.TryParse(rank, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                var shown = line.Length <= 40 ? line : line[..40] + " …";
                throw new InvalidDataException($"Line {number + 1}: \"{shown}\" is not a token in base64 and its rank.");
            }

            distinct.FindOrAdd(token, out var isNew);
            if (!isNew || !tokens.TryAdd(id, token))
            {
                throw new InvalidDataException($"Line {number + 1}: the {(isNew ? $"rank {id}" : "token")} stands twice.");
            }
        }

        return tokens.Count > 0 ? tokens : throw new InvalidDataException("It holds no tokens.");
    }

    private static byte[]? Bytes(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var length) ? bytes[..length] : null;
    }

    private static (string, int)[] Llama3Tokens()
    {
        string[] names =
        [
            "<|begin_of_text|>", "<|end_of_text|>", .. Reserved(0, 4), "<|start_header_id|>", "<|end_header_id|>", .. Reserved(4, 1),
            "<|eot_id|>", .. Reserved(5, 246),
        ];
        return [.. names.Select((name, i) => (name, 128_000 + i))];

        static IEnumerable<string> Reserved(int first, int count) =>
            Enumerable.Range(first, count).Select(i => $"<|reserved_special_token_{i}|>");
    }
}
