using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.PreTokenizers;

/// <summary>Where SentencePiece's mark of a space is put before a text.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>The members that SentencePiece's mark has in the pre-tokenizer and in the decoder.</summary>
internal sealed record MetaspaceOptions(int Replacement, PrependScheme Prepend, bool Split)
{
    public static MetaspaceOptions Read(JsonPart json)
    {
        json.Ignore("str_rep");
        var replacement = json.Optional("replacement")?.AsCharacter() ?? '▁';
        var split = json.Flag("split", true);
        var addPrefixSpace = json.Optional("add_prefix_space")?.AsFlag();
        var scheme = json.Optional("prepend_scheme");
        var prepend = scheme?.AsText() switch
        {
            null when addPrefixSpace == false => PrependScheme.Never,
            null or "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            var other => throw scheme!.Error($"\"{other}\" is not always, first or never"),
        };
        return addPrefixSpace == false && prepend != PrependScheme.Never
            ? throw json.Error("add_prefix_space = false contradicts prepend_scheme")
            : new MetaspaceOptions(replacement, prepend, split);
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("replacement", new Rune(Replacement).ToString());
        json.WriteString("prepend_scheme", Prepend.ToString().ToLowerInvariant());
        json.WriteBoolean("split", Split);
    }
}

/// <summary>SentencePiece's: a space becomes a visible mark and begins a word. <see cref="MetaspaceDecoder"/> undoes it.</summary>
internal sealed class Metaspace(MetaspaceOptions options) : PreTokenizer
{
    public override string Type => "Metaspace";

    public override bool GoesByChunks => options.Split && !AsksForPlace;

    public override bool AsksForPlace => options.Prepend == PrependScheme.First;

    public static Metaspace Read(JsonPart json) => new(MetaspaceOptions.Read(json));

    public override void Cut(AlignedText text, List<AlignedText> words)
    {
        text = text.With(' ', options.Replacement);
        var isAsked = options.Prepend == PrependScheme.Always
            || (options.Prepend == PrependScheme.First && text.OriginalRange(0, 1).Start == 0);
        if (isAsked && text[0] != options.Replacement)
        {
            text = text.WithBefore([options.Replacement]);
        }

        // A word begins at every mark.
        for (int start = 0, end; start < text.Length; start = end)
        {
            var next = options.Split ? text.CodePoints[(start + 1)..].IndexOf(options.Replacement) : -1;
            end = next < 0 ? text.Length : start + 1 + next;
            words.Add(text.Slice(start, end));
        }
    }

    public override void WriteMembers(Utf8JsonWriter json) => options.Write(json);
}
