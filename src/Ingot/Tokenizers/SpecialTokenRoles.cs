namespace Ingot.Tokenizers;

/// <summary>Which special tokens have a role, as tokenizer_config.json says. All are optional.</summary>
public sealed record SpecialTokenRoles
{
    /// <summary>Those of BERT's tokenizers.</summary>
    internal static SpecialTokenRoles Bert { get; } = new() { Unk = "[UNK]", Sep = "[SEP]", Pad = "[PAD]", Cls = "[CLS]", Mask = "[MASK]" };

    /// <summary>Those of RoBERTa's tokenizers.</summary>
    internal static SpecialTokenRoles Roberta { get; } = new()
    {
        Bos = "<s>",
        Eos = "</s>",
        Unk = "<unk>",
        Sep = "</s>",
        Pad = "<pad>",
        Cls = "<s>",
        Mask = "<mask>",
    };

    /// <summary>Begins a text.</summary>
    public string? Bos { get; init; }

    /// <summary>Ends a text.</summary>
    public string? Eos { get; init; }

    /// <summary>Stands for what cannot be written.</summary>
    public string? Unk { get; init; }

    /// <summary>Stands between two texts, or ends one.</summary>
    public string? Sep { get; init; }

    /// <summary>Fills up the shorter texts of a batch.</summary>
    public string? Pad { get; init; }

    /// <summary>Begins a text that is to be classified.</summary>
    public string? Cls { get; init; }

    /// <summary>Stands for a token that is to be guessed.</summary>
    public string? Mask { get; init; }

    /// <summary>The roles by their names in the files.</summary>
    internal IEnumerable<(string Name, string? Token)> All =>
        [
            ("bos_token", Bos), ("eos_token", Eos), ("unk_token", Unk), ("sep_token", Sep), ("pad_token", Pad), ("cls_token", Cls),
            ("mask_token", Mask),
        ];

    /// <summary>Makes roles of what is known of each name.</summary>
    internal static SpecialTokenRoles Of(Func<string, string?> token) =>
        new()
        {
            Bos = token("bos_token"),
            Eos = token("eos_token"),
            Unk = token("unk_token"),
            Sep = token("sep_token"),
            Pad = token("pad_token"),
            Cls = token("cls_token"),
            Mask = token("mask_token"),
        };
}
