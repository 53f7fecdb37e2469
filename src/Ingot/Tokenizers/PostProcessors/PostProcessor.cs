using System.Text.Json;
using Ingot.Tokenizers.Files;

namespace Ingot.Tokenizers.PostProcessors;

/// <summary>A token on its way into an encoding.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">The token as the vocabulary writes it; of an added token what was found, white space that it took included.</param>
/// <param name="Start">Where it begins in the original text, in code points.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Sequence">0 for the text, 1 for its pair, −1 for a token that a post-processor added.</param>
/// <param name="Word">Number of the word that it is from; −1 for none.</param>
/// <param name="TypeId">Token type.</param>
internal readonly record struct EncodedToken(int Id, string Text, int Start, int End, int Sequence, int Word, int TypeId)
{
    /// <summary>A token that belongs to no text.</summary>
    public static EncodedToken Special(int id, string text, int typeId) => new(id, text, 0, 0, -1, -1, typeId);
}

/// <summary>Puts special tokens around texts and says which token types they have: "post_processor" in tokenizer.json. Immutable.</summary>
internal abstract class PostProcessor : IComponent
{
    /// <summary>All there are. A new one is a class and a line here.</summary>
    public static ComponentKinds<PostProcessor> Kinds { get; } = new("post-processor", new()
    {
        ["BertProcessing"] = BertProcessing.Read,
        ["ByteLevel"] = ByteLevelProcessing.Read,
        ["RobertaProcessing"] = RobertaProcessing.Read,
        ["Sequence"] = json => new PostProcessorSequence(Kinds!.ReadAll(json, "processors")),
        ["TemplateProcessing"] = TemplateProcessing.Read,
    });

    public abstract string Type { get; }

    /// <summary>The special tokens that it adds, with their ids.</summary>
    public virtual IEnumerable<(string Token, int Id)> SpecialTokens => [];

    /// <summary>How many tokens it adds to a text or to a pair.</summary>
    public abstract int AddedTokens(bool isPair);

    /// <summary>Takes one or two texts, or what a post-processor before it made of them.</summary>
    public abstract List<EncodedToken[]> Process(List<EncodedToken[]> texts, bool addSpecialTokens);

    public virtual void WriteMembers(Utf8JsonWriter json)
    {
    }
}

/// <summary>One after the other.</summary>
internal sealed class PostProcessorSequence(PostProcessor[] processors) : PostProcessor
{
    public override string Type => "Sequence";

    public override IEnumerable<(string Token, int Id)> SpecialTokens => processors.SelectMany(processor => processor.SpecialTokens);

    public override int AddedTokens(bool isPair) => processors.Sum(processor => processor.AddedTokens(isPair));

    public override List<EncodedToken[]> Process(List<EncodedToken[]> texts, bool addSpecialTokens) =>
        processors.Aggregate(texts, (current, processor) => processor.Process(current, addSpecialTokens));

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteAll("processors", processors);
}
