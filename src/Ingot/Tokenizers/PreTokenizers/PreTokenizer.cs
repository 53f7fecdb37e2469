using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.PreTokenizers;

/// <summary>Cuts a normalized text into the words that the model makes tokens of: "pre_tokenizer" in tokenizer.json. Immutable.</summary>
internal abstract class PreTokenizer : IComponent
{
    /// <summary>All there are. A new one is a class and a line here.</summary>
    public static ComponentKinds<PreTokenizer> Kinds { get; } = new("pre-tokenizer", new()
    {
        ["BertPreTokenizer"] = _ => new BertPreTokenizer(),
        ["ByteLevel"] = ByteLevel.Read,
        ["CharDelimiterSplit"] = CharDelimiterSplit.Read,
        ["Digits"] = Digits.Read,
        ["FixedLength"] = FixedLength.Read,
        ["Metaspace"] = Metaspace.Read,
        ["Punctuation"] = Punctuation.Read,
        ["Sequence"] = json => new PreTokenizerSequence(Kinds!.ReadAll(json, "pretokenizers")),
        ["Split"] = Split.Read,
        ["Whitespace"] = _ => new Whitespace(),
        ["WhitespaceSplit"] = _ => new WhitespaceSplit(),
    });

    public abstract string Type { get; }

    /// <summary>Whether a text has the words of its chunks, one after another: <see cref="SpacedChunks"/>.</summary>
    public virtual bool GoesByChunks => false;

    /// <summary>Whether it asks where in the whole text a word stands.</summary>
    public virtual bool AsksForPlace => false;

    /// <summary>Appends the words of a text that is not empty. Empty words are left out.</summary>
    public abstract void Cut(AlignedText text, List<AlignedText> words);

    public virtual void WriteMembers(Utf8JsonWriter json)
    {
    }
}

/// <summary>One after the other: each cuts the words of the one before.</summary>
internal sealed class PreTokenizerSequence(PreTokenizer[] preTokenizers) : PreTokenizer
{
    public override string Type => "Sequence";

    public IReadOnlyList<PreTokenizer> Parts => preTokenizers;

    // The first cuts at the chunks; the others see nothing but its words.
    public override bool GoesByChunks =>
        preTokenizers.Length > 0 && preTokenizers[0].GoesByChunks && !AsksForPlace;

    public override bool AsksForPlace => preTokenizers.Any(part => part.AsksForPlace);

    public override void Cut(AlignedText text, List<AlignedText> words)
    {
        List<AlignedText> current = [text];
        foreach (var preTokenizer in preTokenizers)
        {
            var next = new List<AlignedText>();
            foreach (var word in current)
            {
                preTokenizer.Cut(word, next);
            }

            current = next;
        }

        words.AddRange(current);
    }

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteAll("pretokenizers", preTokenizers);
}
