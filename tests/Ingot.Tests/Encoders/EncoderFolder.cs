using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Tests.Generation;
using Ingot.Tests.Graphs;
using Ingot.Tokenizers;
using Ingot.Training;

namespace Ingot.Tests.Encoders;

/// <summary>A folder with a small encoder of random weights and a byte-level tokenizer.</summary>
internal static class EncoderFolder
{
    /// <summary>Its tokenizer: bytes and special tokens.</summary>
    public static Tokenizer Tokenizer(BertFlavor flavor) => EncoderTokenizer.Train(
        ["the cat sees the moon and the dog hears the river"u8.ToArray()], 300, flavor == BertFlavor.Roberta, default);

    /// <summary>A configuration that goes with it.</summary>
    public static BertConfig Model(BertFlavor flavor, ModelTask task) => ModelGradientTests.Bert(task) with
    {
        Flavor = flavor,
        VocabSize = Tokenizer(flavor).VocabularySize,
        PositionRows = 48,
        PadTokenId = flavor == BertFlavor.Roberta ? 1 : 0,
        TypeVocabSize = flavor == BertFlavor.Roberta ? 1 : 2,
    };

    /// <summary>Writes the folder and gives the values of its parameters.</summary>
    public static Dictionary<string, double[]> Write(string folder, BertConfig model) =>
        RandomModel.Write(folder, Tokenizer(model.Flavor), model);
}
