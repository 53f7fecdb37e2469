using Ingot.Data.Preparation.Cleaning;

namespace Ingot.Data.Preparation;

/// <summary>A document on its way from its file to a shard.</summary>
internal sealed class Document(string text)
{
    /// <summary>The text, as cleaned as it is by now.</summary>
    public string Text { get; set; } = text;

    /// <summary>Where it was found, for example "pages.jsonl:12".</summary>
    public string Place { get; set; } = "";

    /// <summary>Fields kept beside the text, each as JSON.</summary>
    public List<(string Name, byte[] Json)> Kept { get; } = [];

    /// <summary>Whether the record had no text where there should be one.</summary>
    public bool IsMissing { get; init; }

    /// <summary>Whether bytes that were not UTF-8 were repaired.</summary>
    public bool WasRecoded { get; init; }

    /// <summary>Whether a rule has removed it.</summary>
    public bool IsRemoved { get; set; }

    /// <summary>Hashes of its lines, if repeated lines are looked for.</summary>
    public ulong[]? LineHashes { get; set; }

    /// <summary>Hash of the cleaned text, which also decides the split.</summary>
    public UInt128 Hash { get; set; }

    /// <summary>MinHash signature; null if near duplicates are not looked for, or the text has no words.</summary>
    public uint[]? Signature { get; set; }

    /// <summary>Counts for the statistics.</summary>
    public DocumentSize Size { get; set; }

    /// <summary>The guessed language.</summary>
    public string Language { get; set; } = LanguageGuess.Unknown;

    /// <summary>The bytes to write: a line of JSON, or the text and an empty line.</summary>
    public byte[] Output { get; set; } = [];
}

/// <summary>How large a document is.</summary>
internal readonly record struct DocumentSize(long Bytes, long Characters, long Words, long Tokens);
